#include <png.h>
#include <string.h>

// PNG_IMAGE_SIZE is a macro that Swift cannot import.
static inline size_t baron_png_image_size(const png_image *image) {
  return (size_t)PNG_IMAGE_SIZE(*image);
}
