import { afterEach, expect, test } from "vitest";
import { returnFreeMemory } from "./allocator.ts";

afterEach(() => {
  delete process.env.BOOTC_WITHOUT_FFI;
});

test.each(["", "1"])("it never fails, also where no library can be called (%j)", (isShut) => {
  process.env.BOOTC_WITHOUT_FFI = isShut;
  expect(() => returnFreeMemory()).not.toThrow();
});
