internal import Foundation

/// The servers of the rows.
struct Peers {
  /// Where the programs of this package are.
  let programs: URL
  /// What the file servers serve.
  let root: URL

  var fileServer: Peer {
    Peer(name: Name.fileServer, program: ours("aio-fileserver")) { _, port in
      ["--root", root.path, "--port", "\(port)"]
    }
  }

  var keyValueServer: Peer {
    Peer(name: Name.keyValueServer, program: ours("aio-kv")) { folder, port in
      ["--dir", folder.path, "--port", "\(port)", "--sync", "always"]
    }
  }

  var redis: Peer {
    var peer = Peer(name: Name.redis, program: "redis-server") { folder, port in
      [
        "--port", "\(port)", "--dir", folder.path, "--appendonly", "yes",
        "--appendfsync", "always", "--save", "",
      ]
    }
    peer.answers = { port in
      (try? Command.output("redis-cli", ["-p", "\(port)", "ping"])) == "PONG\n"
    }
    return peer
  }

  /// The program of this package that is built beside this one.
  func evhttp(_ name: String, _ way: String) -> Peer {
    let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
      .deletingLastPathComponent().appendingPathComponent("evhttp-files").path
    return Peer(name: name, program: program) { _, port in [way, root.path, "\(port)"] }
  }

  /// - Parameter directives: How it reads files.
  func nginx(_ name: String, _ directives: String) -> Peer {
    Peer(name: name, program: "nginx") { folder, port in
      let file = folder.appendingPathComponent("nginx.conf")
      let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map { "\($0)_temp_path \(folder.path);" }.joined(separator: " ")
      let text = """
        worker_processes 1; daemon off; master_process off;
        pid \(folder.path)/pid; error_log /dev/null;
        events { worker_connections 4096; }
        http {
          access_log off; keepalive_requests 1000000000; \(directives) \(paths)
          server { listen 127.0.0.1:\(port) backlog=4096; root \(root.path); }
        }
        """
      try Data(text.utf8).write(to: file)
      return ["-c", file.path]
    }
  }

  private func ours(_ name: String) -> String { programs.appendingPathComponent(name).path }
}

/// The names of the contestants.
enum Name {
  static let fileServer = "aio-fileserver"
  static let pread = "evhttp in C, pread"
  static let sendfile = "evhttp in C, evbuffer_add_file"
  static let nginxThreads = "nginx, aio threads, no sendfile"
  static let nginxSendfile = "nginx, sendfile"
  static let nginxPlain = "nginx, no threads, no sendfile"
  static let keyValueServer = "aio-kv"
  static let redis = "redis-server"
}

extension Peers {
  var nginxThreads: Peer { nginx(Name.nginxThreads, "aio threads; sendfile off;") }
  var nginxSendfile: Peer { nginx(Name.nginxSendfile, "sendfile on;") }
  var nginxPlain: Peer { nginx(Name.nginxPlain, "sendfile off;") }
}
