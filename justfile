# Thin names for make's targets.

# Build the drupe command, the default archive and the kernel image
build:
    make

# Set up, build, and boot to a shell
run:
    make run

# Set up and run every test
test:
    make test
