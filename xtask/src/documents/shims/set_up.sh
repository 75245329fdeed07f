#!/usr/bin/env bash
# Stands for a command that sets up a machine, while a document's commands are run.
set -euo pipefail
printf '%s\t%s\n' "$(basename "$0") $*" "it sets up the machine, which has been done" >>"$DOCUMENTS_NOT_RUN"
# What follows in the document works in the new folder.
if [ "$(basename "$0") ${1-}" = "git clone" ]; then
  clone=${@: -1}
  mkdir -p "$clone"
  for entry in *; do
    case $entry in "$clone" | runs) ;; *) ln -s "$PWD/$entry" "$clone/$entry" ;; esac
  done
fi
