import { expect, test } from "vitest";
import { nodeIdOf, shareOf } from "./share.ts";

test("the share is what the documented command computes", () => {
  // printf %s:%s 0123456789abcdef0123456789abcdef sha256:00 | sha256sum | cut -c 1-13
  const share = shareOf("0123456789abcdef0123456789abcdef", "sha256:00");
  expect((share * 16 ** 13).toString(16)).toBe("a96993a95e23f");
});

test("the name of a machine does not contain its id", () => {
  const id = "0123456789abcdef0123456789abcdef";
  expect(nodeIdOf(id)).toMatch(/^[0-9a-f]{32}$/);
  expect(nodeIdOf(id)).not.toBe(id);
});
