// A library that is loaded before the OpenCL loader and leaves out the launches of matrix products and
// attention, which a CPU's driver would take hours for in the form that GPUs get. What they would have
// written is filled with small numbers, so that a training step goes on to its end. For lists of what a
// step needs, never for results.
//
// Processes that try variants of those kernels answer that all is well.
#include "BeforeLoader.h"
#include <sys/socket.h>
#include <unistd.h>

// Kernels that are left out, by how their names begin, and which argument they write to.
static const struct {
  const char *name;
  cl_uint target;
} left_out[] = {
    {"matrix_product_forward", 7},
    {"attention_forward", 2},
    {"attention_backward_query", 6},
    {"attention_backward_key_value", 5},
};

// Launches of as many work-items are run: trials of the device, which look at results.
enum { MOST_RUN = 8192 };

// Products write statistics too: their blocks, mean and inverse deviation (MatrixStatistics.clh).
enum { BLOCKS = 17, INVERSE = 19 };

// The buffers that each such kernel was given last. Kernels are made and used by one thread.
enum { MOST = 4096 };
static struct {
  cl_kernel kernel;
  cl_uint target;
  // STATISTICS, and what it is that these buffers hold.
  int statistics;
  cl_mem buffer, written[INVERSE - BLOCKS + 1];
} kernels[MOST];
static int count;

// Programs that are compiled with statistics.
static struct {
  cl_program program;
  int statistics;
} programs[MOST];
static int program_count;

static int place(cl_kernel kernel) {
  for (int i = 0; i < count; i++)
    if (kernels[i].kernel == kernel)
      return i;
  return -1;
}

cl_int clBuildProgram(cl_program program, cl_uint devices, const cl_device_id *list,
                      const char *options, void (*notify)(cl_program, void *), void *user) {
  NEXT(clBuildProgram);
  const char *found = options ? strstr(options, "STATISTICS=") : NULL;
  if (program_count == MOST)
    abort();
  programs[program_count].program = program;
  programs[program_count++].statistics = found ? atoi(found + strlen("STATISTICS=")) : 0;
  // Without what only the driver knows that this one poses as.
  char *plain = options ? strdup(options) : NULL;
  char *further = plain ? strstr(plain, " -cl-nv-") : NULL;
  if (further) {
    const char *rest = further + 1 + strcspn(further + 1, " ");
    memmove(further, rest, strlen(rest) + 1);
  }
  cl_int code = next(program, devices, list, plain, notify, user);
  free(plain);
  return code;
}

static int statistics(cl_program program) {
  for (int i = program_count - 1; i >= 0; i--)
    if (programs[i].program == program)
      return programs[i].statistics;
  return 0;
}

cl_kernel clCreateKernel(cl_program program, const char *name, cl_int *code) {
  NEXT(clCreateKernel);
  cl_kernel kernel = next(program, name, code);
  for (size_t i = 0; kernel && i < sizeof left_out / sizeof *left_out; i++) {
    if (strncmp(name, left_out[i].name, strlen(left_out[i].name)))
      continue;
    if (count == MOST)
      abort();
    int at = place(kernel) < 0 ? count++ : place(kernel);
    kernels[at].kernel = kernel;
    kernels[at].target = left_out[i].target;
    kernels[at].buffer = NULL;
    kernels[at].statistics = statistics(program);
  }
  return kernel;
}

cl_int clSetKernelArg(cl_kernel kernel, cl_uint index, size_t size, const void *value) {
  NEXT(clSetKernelArg);
  int at = place(kernel);
  if (at >= 0 && kernels[at].target == index && value && size == sizeof(cl_mem))
    memcpy(&kernels[at].buffer, value, size);
  if (at >= 0 && index >= BLOCKS && index < BLOCKS + (kernels[at].statistics == 2 ? 3 : 1) &&
      kernels[at].statistics && size == sizeof(cl_mem))
    memcpy(&kernels[at].written[index - BLOCKS], value, size);
  return next(kernel, index, size, value);
}

// Repeats a pattern over all of a buffer but an end that is shorter than it, or over as many of its numbers
// as there are.
static cl_int fill(cl_command_queue queue, cl_mem buffer, const cl_uint pattern[32], cl_uint waits,
                   const cl_event *wait, cl_event *event) {
  size_t size = 0, width = 32 * sizeof *pattern;
  clGetMemObjectInfo(buffer, CL_MEM_SIZE, sizeof size, &size, NULL);
  if (size < width)
    width = sizeof *pattern;
  return clEnqueueFillBuffer(queue, buffer, pattern, width, 0, size / width * width, waits, wait,
                             event);
}

cl_int clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions,
                              const size_t *offset, const size_t *global, const size_t *local,
                              cl_uint waits, const cl_event *wait, cl_event *event) {
  NEXT(clEnqueueNDRangeKernel);
  int at = place(kernel);
  size_t items = 1;
  for (cl_uint i = 0; i < dimensions; i++)
    items *= global[i];
  if (at < 0 || !kernels[at].buffer || items <= MOST_RUN)
    return next(queue, kernel, dimensions, offset, global, local, waits, wait, event);
  // Numbers of either sign from 1/32 to 1, each a float and two numbers of bfloat16 alike: boxes of one
  // size would all be pooled as the largest one.
  cl_uint pattern[32];
  for (cl_uint i = 0, bits = 1; i < 32; i++) {
    bits = bits * 1664525u + 1013904223u;
    pattern[i] = (bits & 0x807f807fu) | ((123 + (bits >> 24) % 4) * 0x00800080u);
  }
  for (int i = 0; i < (kernels[at].statistics == 2 ? 3 : kernels[at].statistics); i++) {
    // Sums of squares are not below 0.
    cl_uint positive[32];
    for (cl_uint j = 0; j < 32; j++)
      positive[j] = pattern[j] & 0x7fff7fffu;
    fill(queue, kernels[at].written[i], positive, 0, NULL, NULL);
  }
  return fill(queue, kernels[at].buffer, pattern, waits, wait, event);
}

__attribute__((constructor)) static void answer(void) {
  static char text[1 << 16];
  FILE *file = fopen("/proc/self/cmdline", "r");
  size_t length = file ? fread(text, 1, sizeof text - 1, file) : 0;
  if (file)
    fclose(file);
  if (!memmem(text, length, "try-variants", strlen("try-variants")))
    return;
  send(0, "ready", strlen("ready"), MSG_NOSIGNAL);
  while (recv(0, text, sizeof text, 0) > 0)
    send(0, "ok", strlen("ok"), MSG_NOSIGNAL);
  _exit(0);
}
