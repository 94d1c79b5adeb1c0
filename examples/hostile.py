# SPDX-License-Identifier: Apache-2.0
"""Does something useful, and then what nobody asked for: becomes a shell. Harmless where it succeeds."""
import os

print("sum of squares:", sum(n * n for n in range(1000)), flush=True)
os.execv("/bin/sh", ["sh", "-c", "echo a shell is running as $(id -un); touch /tmp/sandgate-example-was-here"])
