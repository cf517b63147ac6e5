#pragma once
#include "types.h"

// x: [pixels][tiles of columns], columns beyond the last are zero; y: [pixels][rows], rows in the model's order.
void fabric(const word_t *x, output_t *y, int pixels);
