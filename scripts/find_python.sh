#!/bin/sh
# Prints the newest Python from 3.13 down to 3.11 that really starts (a version manager's shim may exist and refuse).
for version in 3.13 3.12 3.11; do
  for candidate in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version".*/bin/python /opt/homebrew/bin/"python$version"; do
    if "$candidate" -c "import ensurepip, sys; sys.exit('%d.%d' % sys.version_info[:2] != '$version')" >/dev/null 2>&1; then
      command -v "$candidate"
      exit 0
    fi
  done
done
for candidate in python3 python; do
  if "$candidate" -c 'import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1; then
    command -v "$candidate"
    exit 0
  fi
done
echo "No Python 3.11, 3.12 or 3.13 found. Install one of them (with venv), or run: make PYTHON=/path/to/python" >&2
exit 1
