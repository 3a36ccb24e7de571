"""The command line, one file a group of commands; `triskel.cli` puts them together."""
