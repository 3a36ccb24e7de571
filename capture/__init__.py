"""Cameras and files to synchronized frame sets."""
