import { closeSync, openSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { BootcError } from "../errors.ts";
import { openFileVerity } from "./fsverity.ts";

function openedVerity() {
  const verity = openFileVerity();
  if (verity === undefined) throw new Error("the door is shut");
  return verity;
}

test.each([-1, 1.5, 2 ** 31, Number.NaN])("%d is not a descriptor", (fd) => {
  expect(() => openedVerity().measure(fd)).toThrow(BootcError);
  expect(() => openedVerity().enable(fd)).toThrow(BootcError);
});

test("what the kernel refuses is a system error, and the file stays as it is", () => {
  const fd = openSync("/dev/null", "r");
  try {
    for (const syscall of ["measure", "enable"] as const) {
      expect(() => openedVerity()[syscall](fd)).toThrow(
        expect.objectContaining({ code: "ENOTTY" }),
      );
    }
  } finally {
    closeSync(fd);
  }
  expect(readFileSync("/dev/null").length).toBe(0);
});
