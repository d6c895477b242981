"""TFLite files of a trained model: conversion, int8, metadata, and what they cost to run."""
