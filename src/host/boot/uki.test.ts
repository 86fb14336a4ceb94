import { expect, test } from "vitest";
import { makeUki } from "../../testing/uki.ts";
import { parseUkiSections, parseUname, requireUkiSection } from "./uki.ts";

const UKI = makeUki([
  { name: ".text", content: "" },
  { name: ".linux", content: "kernel" },
  { name: ".linux", content: "another profile" },
  { name: ".longname", content: "x" },
]);

test("sections are found, without their padding", () => {
  const sections = parseUkiSections(UKI, UKI.length);
  expect(sections.map((it) => it.name)).toEqual([".text", ".linux", ".linux", ".longnam"]);
  const { offset, sizeBytes } = requireUkiSection(sections, ".linux");
  expect(UKI.toString("latin1", offset, offset + sizeBytes)).toBe("kernel");
  expect(() => requireUkiSection(sections, ".initrd")).toThrow("it has no section `.initrd`");
  expect(() => requireUkiSection(sections, ".text")).toThrow("it has no section `.text`");
});

test.each([
  { what: "nothing", bytes: Buffer.alloc(0) },
  { what: "a text", bytes: Buffer.from("MZ".padEnd(200, " ")) },
  { what: "half a header", bytes: UKI.subarray(0, 140) },
  { what: "half a table", bytes: UKI.subarray(0, 128 + 24 + 112 + 60) },
  { what: "another magic", bytes: Buffer.concat([Buffer.from("ELF"), UKI.subarray(3)]) },
])("$what is not an EFI executable", ({ bytes }) => {
  expect(() => parseUkiSections(bytes, bytes.length)).toThrow("it is not an EFI executable");
});

test("a section beyond the end of the file is refused", () => {
  expect(() => parseUkiSections(UKI, UKI.length - 512)).toThrow(
    "its section `.longnam` goes beyond its end",
  );
});

test.each([
  { text: "6.12.0-1.fc42.x86_64", want: "6.12.0-1.fc42.x86_64" },
  { text: "6.1.0+deb12~1\n\0\0", want: "6.1.0+deb12~1" },
])("$text is a version", ({ text, want }) => {
  expect(parseUname(Buffer.from(text))).toBe(want);
});

test.each(["", "..", ".", "../../etc", "a/b", "a b", "6\0/x", "\u001b[31m"])(
  "`%s` does not name a directory",
  (text) => {
    expect(() => parseUname(Buffer.from(text))).toThrow("is not the version of a kernel");
  },
);
