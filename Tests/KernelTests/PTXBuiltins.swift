/// What a driver's compiler brings along, as far as kernels need it: functions that compile to what a
/// GPU's would be like, of no use for their values.
enum PTXBuiltins {
  static let text = #"""
    #define FUNCTION static inline __attribute__((overloadable, always_inline))
    #define ID(name, place) \
      FUNCTION size_t name(uint d) { \
        return d == 0   ? __nvvm_read_ptx_sreg_##place##_x() \
               : d == 1 ? __nvvm_read_ptx_sreg_##place##_y() \
                        : __nvvm_read_ptx_sreg_##place##_z(); \
      }
    ID(get_local_id, tid)
    ID(get_local_size, ntid)
    ID(get_group_id, ctaid)
    ID(get_num_groups, nctaid)
    FUNCTION size_t get_global_id(uint d) { return get_group_id(d) * get_local_size(d) + get_local_id(d); }
    FUNCTION size_t get_global_size(uint d) { return get_num_groups(d) * get_local_size(d); }
    #define barrier(flags) __syncthreads()

    // A function of numbers, and the same for vectors by halves.
    #define HALVES_1(name, type, n) \
      FUNCTION type##n name(type##n a) { return (type##n)(name(a.lo), name(a.hi)); }
    #define HALVES_2(name, type, n) \
      FUNCTION type##n name(type##n a, type##n b) { \
        return (type##n)(name(a.lo, b.lo), name(a.hi, b.hi)); \
      }
    #define HALVES_3(name, type, n) \
      FUNCTION type##n name(type##n a, type##n b, type##n c) { \
        return (type##n)(name(a.lo, b.lo, c.lo), name(a.hi, b.hi, c.hi)); \
      }
    #define WIDTHS(halves, name, type) \
      halves(name, type, 2) halves(name, type, 4) halves(name, type, 8) halves(name, type, 16)
    #define UNARY(name, text) \
      FUNCTION float name(float a) { text; } \
      WIDTHS(HALVES_1, name, float)
    #define BINARY(type, name, text) \
      FUNCTION type name(type a, type b) { return text; } \
      WIDTHS(HALVES_2, name, type)
    #define TERNARY(type, name, text) \
      FUNCTION type name(type a, type b, type c) { return text; } \
      WIDTHS(HALVES_3, name, type)
    #define ASSEMBLED(name, instruction) \
      UNARY(name, float y; __asm__(instruction " %0, %1;" : "=f"(y) : "f"(a)); return y)
    ASSEMBLED(exp2, "ex2.approx.f32")
    ASSEMBLED(log2, "lg2.approx.f32")
    ASSEMBLED(sin, "sin.approx.f32")
    ASSEMBLED(cos, "cos.approx.f32")
    ASSEMBLED(sqrt, "sqrt.rn.f32")
    ASSEMBLED(rint, "cvt.rni.f32.f32")
    ASSEMBLED(floor, "cvt.rmi.f32.f32")
    ASSEMBLED(ceil, "cvt.rpi.f32.f32")
    ASSEMBLED(fabs, "abs.f32")
    UNARY(exp, return exp2(a * 1.4426950f))
    UNARY(native_exp, return exp2(a * 1.4426950f))
    UNARY(log, return log2(a) * 0.6931472f)
    UNARY(log1p, return log(1.0f + a))
    UNARY(sign, return a > 0.0f ? 1.0f : a < 0.0f ? -1.0f : 0.0f)
    #define ORDERED(type) \
      BINARY(type, min, a < b ? a : b) \
      BINARY(type, max, a > b ? a : b) \
      TERNARY(type, clamp, min(max(a, b), c))
    ORDERED(int)
    ORDERED(uint)
    ORDERED(long)
    ORDERED(float)
    BINARY(float, fmin, __builtin_fminf(a, b))
    BINARY(float, fmax, __builtin_fmaxf(a, b))
    TERNARY(float, fma, __builtin_fmaf(a, b, c))
    #define WITH_NUMBER(n) \
      FUNCTION float##n fmax(float##n a, float b) { return fmax(a, (float##n)b); } \
      FUNCTION float##n fmin(float##n a, float b) { return fmin(a, (float##n)b); } \
      FUNCTION float##n clamp(float##n a, float b, float c) { \
        return clamp(a, (float##n)b, (float##n)c); \
      }
    FUNCTION float3 fma(float3 a, float3 b, float3 c) {
      return (float3)(fma(a.xy, b.xy, c.xy), fma(a.z, b.z, c.z));
    }
    WITH_NUMBER(4) WITH_NUMBER(8) WITH_NUMBER(16)
    FUNCTION int isnan(float a) { return a != a; }
    FUNCTION int isfinite(float a) { return fabs(a) < INFINITY; }
    FUNCTION int isgreater(float a, float b) { return a > b; }
    FUNCTION int isequal(float a, float b) { return a == b; }
    FUNCTION float select(float a, float b, int c) { return c ? b : a; }
    FUNCTION int any(int a) { return a < 0; }
    #define COMPARED(n) \
      FUNCTION int##n isnan(float##n a) { return a != a; } \
      FUNCTION int##n isgreater(float##n a, float##n b) { return a > b; } \
      FUNCTION int##n isequal(float##n a, float##n b) { return a == b; } \
      FUNCTION float##n select(float##n a, float##n b, int##n c) { return c < 0 ? b : a; } \
      FUNCTION int any(int##n a) { return any(a.lo) | any(a.hi); }
    COMPARED(2) COMPARED(4) COMPARED(8) COMPARED(16)
    FUNCTION uint4 convert_uint4(ushort4 a) { return __builtin_convertvector(a, uint4); }

    #define VECTORS(space, type) \
      FUNCTION type##2 vload2(size_t i, const space type *p) { \
        return (type##2)(p[2 * i], p[2 * i + 1]); \
      } \
      FUNCTION type##3 vload3(size_t i, const space type *p) { \
        return (type##3)(p[3 * i], p[3 * i + 1], p[3 * i + 2]); \
      } \
      FUNCTION void vstore2(type##2 a, size_t i, space type *p) { \
        p[2 * i] = a.x; \
        p[2 * i + 1] = a.y; \
      } \
      FUNCTION void vstore3(type##3 a, size_t i, space type *p) { \
        vstore2(a.xy, 0, p + 3 * i); \
        p[3 * i + 2] = a.z; \
      } \
      MOVED(space, type, 4, 2) MOVED(space, type, 8, 4) MOVED(space, type, 16, 8)
    #define MOVED(space, type, n, half) \
      FUNCTION type##n vload##n(size_t i, const space type *p) { \
        return (type##n)(vload##half(2 * i, p), vload##half(2 * i + 1, p)); \
      } \
      FUNCTION void vstore##n(type##n a, size_t i, space type *p) { \
        vstore##half(a.lo, 2 * i, p); \
        vstore##half(a.hi, 2 * i + 1, p); \
      }
    VECTORS(__global, float)
    VECTORS(__local, float)
    VECTORS(__private, float)
    VECTORS(__global, int)
    VECTORS(__local, int)
    VECTORS(__private, int)
    FUNCTION float widened(ushort bits) {
      float x;
      __asm__("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(bits));
      return x;
    }
    FUNCTION ushort narrowed(float x) {
      ushort bits;
      __asm__("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x));
      return bits;
    }
    FUNCTION float vload_half(size_t i, const __global half *p) { return widened(((const __global ushort *)p)[i]); }
    FUNCTION float2 vload_half2(size_t i, const __global half *p) { return (float2)(vload_half(2 * i, p), vload_half(2 * i + 1, p)); }
    FUNCTION float4 vloada_half4(size_t i, const __global half *p) {
      ushort4 bits = ((const __global ushort4 *)p)[i];
      return (float4)(widened(bits.x), widened(bits.y), widened(bits.z), widened(bits.w));
    }
    FUNCTION void vstore_half_rte(float x, size_t i, __global half *p) { ((__global ushort *)p)[i] = narrowed(x); }
    FUNCTION void vstorea_half4_rte(float4 x, size_t i, __global half *p) {
      ((__global ushort4 *)p)[i] = (ushort4)(narrowed(x.x), narrowed(x.y), narrowed(x.z), narrowed(x.w));
    }
    FUNCTION int atomic_inc(volatile __global int *p) {
      int before;
      __asm__ volatile("atom.global.add.s32 %0, [%1], 1;" : "=r"(before) : "l"(p) : "memory");
      return before;
    }
    FUNCTION int atomic_add(volatile __global int *p, int value) {
      int old;
      __asm__ volatile("atom.global.add.s32 %0, [%1], %2;" : "=r"(old) : "l"(p), "r"(value) : "memory");
      return old;
    }
    FUNCTION uint popcount(uint a) { return __builtin_popcount(a); }
    FUNCTION uint clz(uint a) { return a ? __builtin_clz(a) : 32; }
    FUNCTION uint atomic_or(volatile __local uint *p, uint value) {
      uint old;
      __asm__ volatile("atom.shared.or.b32 %0, [%1], %2;" : "=r"(old) : "r"((uint)(size_t)p), "r"(value) : "memory");
      return old;
    }
    FUNCTION int atomic_max(volatile __global int *p, int value) {
      int old;
      __asm__ volatile("atom.global.max.s32 %0, [%1], %2;" : "=r"(old) : "l"(p), "r"(value) : "memory");
      return old;
    }
    FUNCTION int atomic_inc(volatile __local int *p) {
      int before;
      __asm__ volatile("atom.shared.add.s32 %0, [%1], 1;" : "=r"(before) : "r"((uint)(size_t)p) : "memory");
      return before;
    }

    """#
}
