import { expect, test } from "vitest";
import { formatBinarySize, formatDecimalSize } from "./size.ts";

test.each([
  [0, "0 bytes"],
  [1, "1 byte"],
  [999, "999 bytes"],
  [1500, "1.5 kB"],
  [943_200_000, "943.2 MB"],
  [2_000_000_000_000_000, "2.0 PB"],
])("%i bytes are %s", (bytes, want) => {
  expect(formatDecimalSize(bytes)).toBe(want);
});

test.each([
  [0, "0.0 MiB"],
  [512 * 2 ** 20, "512.0 MiB"],
  [2 ** 30, "1.0 GiB"],
  [2 ** 31 + 2 ** 30 / 2, "2.5 GiB"],
  [2 ** 50, "1048576.0 GiB"],
])("%i bytes of a disk are %s", (bytes, want) => {
  expect(formatBinarySize(bytes)).toBe(want);
});
