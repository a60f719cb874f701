#if NIO
  public import NIOCore
  public import NIOPosix
  internal import PosixAIO
  public import SystemPackage
  public import struct SystemPackage.FileDescriptor

  /// The files of an event loop.
  public struct LoopFileSystem: Sendable {
    public let eventLoop: any EventLoop
    private let pool: NIOThreadPool

    public init(on eventLoop: any EventLoop, threadPool: NIOThreadPool = .singleton) {
      self.eventLoop = eventLoop
      pool = threadPool
    }

    public func openFile(
      at path: FilePath, mode: FileDescriptor.AccessMode,
      options: FileDescriptor.OpenOptions = []
    ) -> EventLoopFuture<LoopFile> {
      eventLoop.flatSubmit { [self] in
        do throws(Errno) {
          let owner = try LoopQueue.of(eventLoop)
          let here = NIOLoopBound(owner, eventLoop: eventLoop)
          return owner.calls.run(as: .open, path, on: pool) { () throws(FileError) in
            do throws(Errno) {
              return SharedDescriptor(
                try Result {
                  try FileDescriptor.open(
                    path, mode, options: options.union(.closeOnExec),
                    permissions: FilePermissions(rawValue: 0o666))
                }.mapError { ($0 as? Errno) ?? .ioError }.get())
            } catch {
              throw FileError(operation: .open, path: path, errno: error)
            }
          }.map { LoopFile($0, path: path, here.value) }
        } catch {
          return eventLoop.makeFailedFuture(
            FileError(operation: .open, path: path, errno: error))
        }
      }
    }
  }
#endif
