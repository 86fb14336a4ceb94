import { expect, test } from "vitest";
import { BootcError } from "../../errors.ts";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { flushBoot } from "./finalize.ts";

test.each(["ext4", "xfs"])(
  "a boot loader finds what was written to a /boot of %s",
  async (type) => {
    const { ctx, requireAllUsed } = scriptedContext("/nowhere", [
      ["+ fsfreeze -f /boot"],
      ["+ fsfreeze -u /boot"],
    ]);
    await flushBoot(ctx, { path: "/boot", type });
    requireAllUsed();
  },
);

test("a /boot without a journal is not frozen", async () => {
  const { ctx, transcript } = scriptedContext("/nowhere", []);
  for (const type of ["vfat", "btrfs"]) await flushBoot(ctx, { path: "/boot", type });
  expect(transcript().trim()).toBe("");
});

test("a running system whose /boot cannot be frozen is installed nevertheless", async () => {
  const { ctx, transcript } = scriptedContext("/nowhere", [
    ["+ fsfreeze -f /boot", new BootcError("Device or resource busy")],
  ]);
  await flushBoot(ctx, { path: "/boot", type: "ext4" });
  expect(transcript()).toContain(
    "! warning: if the power fails before the restart, GRUB may not find what was written to `/boot`: " +
      "Device or resource busy\n",
  );
});

test("a running system whose /boot stays frozen is told so", async () => {
  const { ctx, transcript } = scriptedContext("/nowhere", [
    ["+ fsfreeze -f /boot"],
    ["+ fsfreeze -u /boot", new BootcError("i/o error")],
  ]);
  const flush = flushBoot(ctx, { path: "/boot", type: "ext4" });
  await expect(flush).rejects.toThrow("`/boot` is still frozen, and `fsfreeze -u /boot` thaws it");
  expect(transcript()).not.toContain("warning");
});
