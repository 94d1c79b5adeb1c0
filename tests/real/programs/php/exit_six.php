<?php
// SPDX-License-Identifier: Apache-2.0
// sg-real: exit=6
echo "leaving\n";
ob_start();
echo "buffered\n";
exit(6);
