#!/usr/bin/env bash
# Stands for a command that sets up a machine, while a document's commands are run.
set -euo pipefail
printf '%s\t%s\n' "$(basename "$0") $*" "sets up the machine, which has been done" >>"$DOCUMENTS_NOT_RUN"
# What follows in the document works in the new folder.
if [ "$(basename "$0") ${1-}" = "git clone" ]; then mkdir -p "${@: -1}"; fi
