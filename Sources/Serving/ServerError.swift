import Foundation

/// Why a server cannot start; the description is one line with the remedy.
package enum ServerError: Error, CustomStringConvertible {
  /// What was given is no address.
  case address(String)
  /// The system has no socket of that kind.
  case socket(address: String, reason: String)
  /// The address is taken or not allowed; `code` is the system's number of the reason.
  case refused(address: String, code: Int32)

  /// One line: what, where, remedy.
  package var description: String {
    switch self {
    case .address(let text):
      "\(text): is no numeric address with a port from 0 to 65535; give for example 127.0.0.1, "
        + "0.0.0.0 or ::1"
    case .socket(let address, let reason):
      "\(address): cannot be listened on: \(reason)"
    case .refused(let address, EADDRINUSE):
      "\(address): another program listens here; choose another --port, or 0 for any that is free"
    case .refused(let address, EACCES):
      "\(address): ports below 1024 need rights that you do not have; choose another --port"
    case .refused(let address, EADDRNOTAVAIL):
      "\(address): this machine has no such address; give --host 127.0.0.1 or 0.0.0.0"
    case .refused(let address, let code):
      "\(address): cannot be listened on: \(String(cString: strerror(code)))"
    }
  }
}
