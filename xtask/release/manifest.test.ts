import { expect, test } from "vitest";
import { assetName } from "./manifest.ts";

test.each([
  ["bootc-2.0.0~rc.1-1.src.rpm", "bootc-2.0.0.rc.1-1.src.rpm"],
  ["bootc-2.0.0^2026.gabc.tar.zst", "bootc-2.0.0.2026.gabc.tar.zst"],
  ["bootc-2.0.0-linux-x86_64.zst", "bootc-2.0.0-linux-x86_64.zst"],
])("%s is called %s on GitHub, so we call it that from the start", (name, want) => {
  expect(assetName(name)).toBe(want);
});
