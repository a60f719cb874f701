/// Files that may block forever and cannot submit now.
struct HeldBackFiles {
  private var reading = FIFO<AIOFile>()
  private var writing = FIFO<AIOFile>()

  /// Files with one direction that needs a descriptor of its own, which the process could not open.
  var withoutDescriptor = FIFO<AIOFile>()

  /// Files that wait for another file's operations in a direction to end.
  subscript(direction: TransferDirection) -> FIFO<AIOFile> {
    _read {
      switch direction {
      case .reading: yield reading
      case .writing: yield writing
      }
    }
    _modify {
      switch direction {
      case .reading: yield &reading
      case .writing: yield &writing
      }
    }
  }
}
