"""The program's sections, named as the functional parts of the published design (rtl/README.md)."""
