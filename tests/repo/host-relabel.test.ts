import { existsSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { openLibc } from "../../src/native/libc.ts";
import { selinuxPolicy } from "./images/selinux-policy.ts";
import { missing } from "./simulated-boot.ts";
import { bootedDir, bootedWith } from "./small-host.ts";

/** Also where the door to the C library is shut for the programs under test. */
function readLabel(path: string): Buffer | undefined {
  vi.stubEnv("BOOTC_WITHOUT_FFI", undefined);
  try {
    return openLibc()?.getXattr(path, "security.selinux");
  } finally {
    vi.unstubAllEnvs();
  }
}

describe.skipIf(missing)("relabel and config-diff under an SELinux policy", () => {
  test("labels are those that the policy wants", () => {
    const policy = selinuxPolicy("etc").flatMap((it) =>
      it.type === undefined ? [[it.path, String(it.content)] as const] : [],
    );
    const host = bootedWith({
      ...Object.fromEntries(policy),
      "etc/shadow": "root\n",
      "etc/x": "x\n",
    });
    try {
      const etc = join(bootedDir(host), "etc");
      const label = (path: string) => readLabel(join(etc, path));
      const labelled = host.bootc("internals relabel /etc");
      expect(labelled).toMatchObject({ status: 0 });
      expect(label("shadow")?.toString()).toContain(":shadow_t:");
      expect(host.bootc("config-diff").stdout).toBe("");
      // As an editor leaves the file that it replaces.
      host.shell("cp /etc/shadow /etc/new; mv /etc/new /etc/shadow; rm /etc/x");
      symlinkSync("nowhere", join(etc, "link"));
      expect(host.bootc("config-diff").stdout).toMatch(
        /^Added "link"\nModified "shadow" \(label \S+:shadow_t:\S+ -> none\)\nRemoved "x"\n$/,
      );
      expect(host.bootc("config-diff --restore shadow --restore x").status).toBe(0);
      expect(label("shadow")?.toString()).toContain(":shadow_t:");
      expect(label("x")?.toString()).toContain(":etc_t:");
      expect(existsSync(join(etc, "x"))).toBe(true);
    } finally {
      host.remove();
    }
  });
});
