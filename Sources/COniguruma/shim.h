#include <oniguruma.h>

// Macros and variables that Swift does not import as constants.
static inline OnigEncoding fanoise_onig_utf8(void) { return ONIG_ENCODING_UTF8; }
static inline OnigSyntaxType *fanoise_onig_syntax(void) { return ONIG_SYNTAX_RUBY; }

// The library's function is variadic.
static inline int fanoise_onig_message(OnigUChar *message, int code, OnigErrorInfo *info) {
    return onig_error_code_to_str(message, code, info);
}
