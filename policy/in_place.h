/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables hold their texts in arrays of a fixed size: sgrun is loaded at any address, so each pointer in a table costs
 * every start of it a relocation, and the table a place in memory that is written to. C lets a text fill its array
 * without its end; gcc refuses that in what follows this, so files with such tables include it last.
 */
#ifndef SG_IN_PLACE_H
#define SG_IN_PLACE_H

#pragma GCC diagnostic error "-Wc++-compat"

#endif
