"""`python -m genprior` is the command line."""

from genprior.pipeline.cli import main

if __name__ == "__main__":
    main(prog_name="genprior")
