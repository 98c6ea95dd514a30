"""`python -m ordertrack` is `ordertrack`."""

from ordertrack.cli.main import main

if __name__ == "__main__":
    main()
