import { expect, test } from "vitest";
import { parseVerityFlags } from "./lsattr.ts";

test("content objects are told apart by the flag of fs-verity", () => {
  const text = [
    "--------------e------- repo/objects/00",
    "",
    "repo/objects/00:",
    "--------------e-----V- repo/objects/00/11.file",
    "--------------e------- repo/objects/00/22.file",
    "--------------e------- repo/objects/00/33.dirtree",
  ].join("\n");
  expect(parseVerityFlags(text)).toEqual({ enabled: 1, disabled: 1 });
});
