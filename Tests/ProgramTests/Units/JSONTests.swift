import Foundation
import ProgramSupport
import XCTest

/// The JSON output of the programs.
final class JSONTests: XCTestCase {
  func test_jsonIsRead() throws {
    let text = "quote \" backslash \\ line\nend \u{1} \u{1F600} \u{E9}"
    let value = JSON.object([
      ("text", .string(text)), ("integer", .integer(-3)), ("number", .number(0.5)),
      ("none", .number(.nan)), ("list", .array([.bool(true), .null])), ("nothing", .object([])),
    ])
    let data = Data(value.description.utf8)
    let object = try XCTUnwrap(JSONSerialization.jsonObject(with: data) as? [String: Any])
    XCTAssertEqual(object["text"] as? String, text)
    XCTAssertEqual(object["integer"] as? Int, -3)
    XCTAssertEqual(object["number"] as? Double, 0.5)
    XCTAssertTrue(object["none"] is NSNull)
    XCTAssertEqual((object["list"] as? [Any])?.count, 2)
  }
}
