import { expect, test } from "vitest";
import { parseListing } from "./boot-room.ts";

// ostree 2022.7 and 2025.2 print the same.
const LISTING = `d00755 0 0      0 ${"a".repeat(64)} ${"b".repeat(64)} /usr/lib/modules/6.12
-00644 0 0 29713920 ${"c".repeat(64)} /usr/lib/modules/6.12/initramfs.img
l00777 0 0      0 ${"d".repeat(64)} /usr/lib/modules/6.12/build -> /usr/src
`;

test("a listing of ostree, directories with two checksums", () => {
  expect(parseListing(LISTING).map((it) => [it.kind, it.sizeBytes, it.path])).toEqual([
    ["d", 0, "/usr/lib/modules/6.12"],
    ["-", 29_713_920, "/usr/lib/modules/6.12/initramfs.img"],
    ["l", 0, "/usr/lib/modules/6.12/build -> /usr/src"],
  ]);
});
