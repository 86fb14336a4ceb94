import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { findPolicy, parsePolicyType } from "./selinux-policy.ts";

test.each([
  { config: "SELINUX=enforcing\nSELINUXTYPE=targeted\n", want: "targeted" },
  { config: "SELINUX=Permissive\nSELINUXTYPE= default \n", want: "default" },
  { config: "SELINUXTYPE=one\nSELINUX=enforcing\nSELINUXTYPE=two", want: "two" },
  { config: "SELINUX=disabled\nSELINUXTYPE=targeted\n", want: undefined },
  { config: "# SELINUX=enforcing\n SELINUX=enforcing\nSELINUXTYPE=x\n", want: undefined },
  { config: "SELINUX=enforcing\n", want: undefined },
  { config: "SELINUX=enforcing\nSELINUXTYPE= \n", want: undefined },
  { config: "", want: undefined },
])("$config enables $want", ({ config, want }) => {
  expect(parsePolicyType(config)).toBe(want);
});

test("the policy of a system is below etc, and that of a commit below usr/etc", async () => {
  const root = mkdtempSync(join(tmpdir(), "selinux-policy-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const config = "SELINUX=enforcing\nSELINUXTYPE=targeted\n";
  expect(await findPolicy(root)).toBeUndefined();
  mkdirSync(join(root, "usr/etc/selinux"), { recursive: true });
  expect(await findPolicy(root)).toBeUndefined();
  writeFileSync(join(root, "usr/etc/selinux/config"), config);
  expect(await findPolicy(root)).toBe(join(root, "usr/etc/selinux/targeted"));
  mkdirSync(join(root, "etc/selinux"), { recursive: true });
  expect(await findPolicy(root)).toBeUndefined();
  writeFileSync(join(root, "etc/selinux/config"), config);
  expect(await findPolicy(root)).toBe(join(root, "etc/selinux/targeted"));
});
