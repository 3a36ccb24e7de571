"""`python -m triskel`, which is how torchrun starts a training."""

import sys

try:
    from triskel.cli import main
except KeyboardInterrupt:  # imports take half a second, and nothing has begun yet
    sys.exit(130)

main()
