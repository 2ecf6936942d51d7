/// What a driver wrote before it ended the program.
///
/// A driver's compiler that gives up writes its reason to standard error and aborts. While its words
/// are taken into a file they would be lost with the program; here they are copied to the terminal
/// first, and the signal goes where it would have gone.
#pragma once

/// Copies a file to another descriptor if one of the signals of a crash comes.
void last_words_begin(int words, int terminal);

/// Leaves the signals as they were before `last_words_begin`.
void last_words_end(void);
