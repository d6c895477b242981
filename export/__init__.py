"""A trained run as files for the machines that will run it: TF Serving, phones, browsers, microcontrollers."""
