#include <ft2build.h>
#include FT_FREETYPE_H

// Flags that are macros over several types, which Swift cannot import. Grey coverage, hinted up and
// down alone so that letters keep their widths.
static inline FT_Error baron_render_glyph(FT_Face face, FT_UInt glyph) {
  return FT_Load_Glyph(face, glyph, FT_LOAD_RENDER | FT_LOAD_TARGET_LIGHT);
}
