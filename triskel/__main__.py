"""`python -m triskel`, which is how torchrun starts a training."""

from triskel.cli import main

main()
