import COpenCL
import Formats
import Synchronization

/// When an event was done, as the driver tells from a thread of its own.
final class EventArrival: Sendable {
  private let time = Atomic<UInt64>(0)

  /// Nanoseconds of `MonotonicClock`; nil before, and without ``note(_:)``.
  var nanoseconds: UInt64? {
    let time = time.load(ordering: .relaxed)
    return time == 0 ? nil : time
  }

  /// Lets the driver tell when an event is done.
  func note(_ event: cl_event) {
    let box = Unmanaged.passRetained(self)
    let code = clSetEventCallback(
      event, cl_int(CL_COMPLETE),
      { _, _, box in
        guard let box else { return }
        let now = MonotonicClock.nanoseconds
        let arrival = Unmanaged<EventArrival>.fromOpaque(box).takeRetainedValue()
        arrival.time.store(now, ordering: .relaxed)
      }, box.toOpaque())
    if code != CL_SUCCESS { box.release() }
  }
}
