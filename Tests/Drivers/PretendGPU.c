// A library that is loaded before the OpenCL loader and makes a driver's device look like a GPU with
// smaller limits: it gives a GPU's answers to questions about the device and refuses what such a
// device would, so that the kernels and plans for GPUs run on a CPU's driver.
//
//   PRETEND_VENDOR   its vendor, which chooses the family of kernels
//   PRETEND_PLATFORM, PRETEND_NAME   of the driver and of the device
//   PRETEND_CAPABILITY   compute capability of an NVIDIA GPU, for example 9.0
//   PRETEND_UNITS    its compute units
//   PRETEND_MEMORY   bytes of its memory
//   PRETEND_OPTIONS  what is added to the options of every build
//   PRETEND_GROUP    most work-items of a work-group
//   PRETEND_LOCAL    bytes of local memory
//   PRETEND_BUFFER   bytes of the largest buffer
//   PRETEND_REPORT   file that gets a line for each refusal and, at the end, one with the largest
//                    work-group and local memory of all launches
#include "BeforeLoader.h"
#include <stdarg.h>

static size_t launches, largest_group, largest_local;

static void report(const char *format, ...) {
  const char *path = getenv("PRETEND_REPORT");
  FILE *file = path ? fopen(path, "a") : NULL;
  if (!file)
    return;
  va_list values;
  va_start(values, format);
  vfprintf(file, format, values);
  va_end(values);
  fclose(file);
}

// A number of the environment; 0 for none.
static size_t limit(const char *name) {
  const char *text = getenv(name);
  return text ? strtoull(text, NULL, 10) : 0;
}

static int exceeds(size_t value, const char *name) { return limit(name) && value > limit(name); }

// Answers a query with a text of the environment; 0 when there is none.
static int answers(const char *name, size_t size, void *value, size_t *needed, cl_int *code) {
  const char *text = getenv(name);
  if (!text)
    return 0;
  if (needed)
    *needed = strlen(text) + 1;
  *code = value && size <= strlen(text) ? CL_INVALID_VALUE : CL_SUCCESS;
  if (value && *code == CL_SUCCESS)
    strcpy(value, text);
  return 1;
}

cl_int clGetPlatformInfo(cl_platform_id platform, cl_platform_info key, size_t size, void *value,
                         size_t *needed) {
  NEXT(clGetPlatformInfo);
  cl_int code;
  if (key == CL_PLATFORM_NAME && answers("PRETEND_PLATFORM", size, value, needed, &code))
    return code;
  return next(platform, key, size, value, needed);
}

cl_int clBuildProgram(cl_program program, cl_uint count, const cl_device_id *devices,
                      const char *options, void (*done)(cl_program, void *), void *data) {
  NEXT(clBuildProgram);
  const char *more = getenv("PRETEND_OPTIONS");
  char all[4096];
  if (more && snprintf(all, sizeof all, "%s %s", options ? options : "", more) < (int)sizeof all)
    options = all;
  return next(program, count, devices, options, done, data);
}

#define COMPUTE_CAPABILITY_MAJOR 0x4000 // of cl_nv_device_attribute_query, as the next one
#define COMPUTE_CAPABILITY_MINOR 0x4001

cl_int clGetDeviceInfo(cl_device_id device, cl_device_info key, size_t size, void *value,
                       size_t *needed) {
  NEXT(clGetDeviceInfo);
  cl_int code;
  if (key == CL_DEVICE_VENDOR && answers("PRETEND_VENDOR", size, value, needed, &code))
    return code;
  if (key == CL_DEVICE_NAME && answers("PRETEND_NAME", size, value, needed, &code))
    return code;
  unsigned major, minor;
  const char *capability = getenv("PRETEND_CAPABILITY");
  if ((key == COMPUTE_CAPABILITY_MAJOR || key == COMPUTE_CAPABILITY_MINOR) && value && capability
      && sscanf(capability, "%u.%u", &major, &minor) == 2) {
    *(cl_uint *)value = key == COMPUTE_CAPABILITY_MAJOR ? major : minor;
    return CL_SUCCESS;
  }
  code = next(device, key, size, value, needed);
  if (code || !value)
    return code;
  if (key == CL_DEVICE_TYPE)
    *(cl_device_type *)value = CL_DEVICE_TYPE_GPU;
  if (key == CL_DEVICE_MAX_WORK_GROUP_SIZE && limit("PRETEND_GROUP"))
    *(size_t *)value = limit("PRETEND_GROUP");
  if (key == CL_DEVICE_MAX_WORK_ITEM_SIZES && limit("PRETEND_GROUP"))
    for (size_t i = 0; i < size / sizeof(size_t); i++)
      ((size_t *)value)[i] = limit("PRETEND_GROUP");
  if (key == CL_DEVICE_MAX_COMPUTE_UNITS && limit("PRETEND_UNITS"))
    *(cl_uint *)value = limit("PRETEND_UNITS");
  if (key == CL_DEVICE_GLOBAL_MEM_SIZE && limit("PRETEND_MEMORY"))
    *(cl_ulong *)value = limit("PRETEND_MEMORY");
  if (key == CL_DEVICE_LOCAL_MEM_SIZE && limit("PRETEND_LOCAL"))
    *(cl_ulong *)value = limit("PRETEND_LOCAL");
  if (key == CL_DEVICE_MAX_MEM_ALLOC_SIZE && limit("PRETEND_BUFFER"))
    *(cl_ulong *)value = limit("PRETEND_BUFFER");
  return code;
}

cl_mem clCreateBuffer(cl_context context, cl_mem_flags flags, size_t size, void *host,
                      cl_int *code) {
  NEXT(clCreateBuffer);
  if (!exceeds(size, "PRETEND_BUFFER"))
    return next(context, flags, size, host, code);
  report("violation: a buffer of %zu bytes\n", size);
  if (code)
    *code = CL_INVALID_BUFFER_SIZE;
  return NULL;
}

cl_int clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions,
                              const size_t *offset, const size_t *global, const size_t *local,
                              cl_uint count, const cl_event *wait, cl_event *event) {
  NEXT(clEnqueueNDRangeKernel);
  char name[128] = "?";
  clGetKernelInfo(kernel, CL_KERNEL_FUNCTION_NAME, sizeof name, name, NULL);
  size_t items = 1;
  for (cl_uint i = 0; local && i < dimensions; i++)
    items *= local[i];
  cl_device_id device;
  cl_ulong bytes = 0;
  clGetCommandQueueInfo(queue, CL_QUEUE_DEVICE, sizeof device, &device, NULL);
  clGetKernelWorkGroupInfo(kernel, device, CL_KERNEL_LOCAL_MEM_SIZE, sizeof bytes, &bytes, NULL);
  __atomic_add_fetch(&launches, 1, __ATOMIC_RELAXED);
  // Two queues may race for these: a figure of a report.
  largest_group = items > largest_group ? items : largest_group;
  largest_local = bytes > largest_local ? bytes : largest_local;
  if (exceeds(items, "PRETEND_GROUP")) {
    report("violation: %s in work-groups of %zu\n", name, items);
    return CL_INVALID_WORK_GROUP_SIZE;
  }
  if (exceeds(bytes, "PRETEND_LOCAL")) {
    report("violation: %s with %lu bytes of local memory\n", name, (unsigned long)bytes);
    return CL_OUT_OF_RESOURCES;
  }
  for (cl_uint i = 0; local && i < dimensions; i++)
    if (global[i] % local[i])
      report("violation: %s over %zu items in groups of %zu\n", name, global[i], local[i]);
  return next(queue, kernel, dimensions, offset, global, local, count, wait, event);
}

__attribute__((destructor)) static void summary(void) {
  if (launches)
    report("launches %zu, work-groups up to %zu, local memory up to %zu\n", launches,
           largest_group, largest_local);
}
