import { expect, test } from "vitest";
import { findBranched } from "./branching.ts";

test.each([
  ["newer than all that are listed", ["fedora-45-x86_64", "fedora-rawhide-x86_64"], true],
  ["rawhide alone is listed", ["fedora-rawhide-x86_64"], true],
  [
    "the same release of another architecture is listed",
    ["fedora-46-aarch64", "fedora-rawhide-x86_64"],
    true,
  ],
  ["releases are compared as numbers", ["fedora-9-x86_64"], true],
  ["a newer one is listed", ["fedora-47-x86_64", "fedora-rawhide-x86_64"], false],
  ["it is listed itself", ["fedora-46-x86_64", "fedora-rawhide-x86_64"], false],
  [
    "no Fedora of its architecture is listed",
    ["centos-stream-10-x86_64", "fedora-rawhide-aarch64"],
    false,
  ],
])("fedora-46-x86_64: %s", (_, listed, want) => {
  const present = ["centos-stream-9-x86_64", "fedora-46-x86_64", "fedora-eln-x86_64"];
  expect(findBranched(listed, present)).toEqual(want ? ["fedora-46-x86_64"] : []);
});

test("rawhide is never the server's own", () => {
  expect(findBranched(["fedora-45-x86_64"], ["fedora-rawhide-x86_64"])).toEqual([]);
});
