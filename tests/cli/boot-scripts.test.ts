// The shell scripts that run at every boot in place of bootc: they decide as the verbs would.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { mendFstab } from "../../src/host/boot/boot-units.ts";
import { parseEntryNames, pruneShadow } from "../../src/host/boot/shadow.ts";

const SCRIPTS = join(import.meta.dirname, "../../packaging/rootfs/usr/lib/bootc");

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "boot-scripts-"));
});
afterEach(() => rmSync(root, { recursive: true }));

function put(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(root, dirname(path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

function run(name: string): number | null {
  const { status, stderr } = spawnSync("sh", [join(SCRIPTS, name), root], { encoding: "utf8" });
  expect(stderr).toBe("");
  return status;
}

describe("needs-shadow-sync", () => {
  const LINES = ["root:*:1::", "a:!:", "b:", "", " ", ":x", "#c:", "*:", "a", "\\a:", "gone:x"];
  const text = fc
    .tuple(fc.array(fc.constantFrom(...LINES), { maxLength: 6 }), fc.boolean())
    .map(([lines, isEnded]) => lines.join("\n") + (isEnded && lines.length > 0 ? "\n" : ""));

  test("answers as `internals sysusers-sync` would act", () => {
    const all = fc.record({
      shadow: text,
      passwd: text,
      shipped: text,
      gshadow: text,
      group: text,
    });
    fc.assert(
      fc.property(all, ({ shadow, passwd, shipped, gshadow, group }) => {
        put({ "etc/shadow": shadow, "etc/passwd": passwd, "usr/lib/passwd": shipped });
        put({ "etc/gshadow": gshadow, "etc/group": group });
        const isStale =
          pruneShadow(shadow, parseEntryNames(`${passwd}\n${shipped}`)) !== undefined ||
          pruneShadow(gshadow, parseEntryNames(group)) !== undefined;
        expect(run("needs-shadow-sync")).toBe(isStale ? 0 : 1);
      }),
      { numRuns: 150 },
    );
  });

  test("without any of the files there is nothing to do", () => {
    expect(run("needs-shadow-sync")).toBe(1);
  });
});

describe("needs-fstab-edit", () => {
  const mount = (type: string) => `22 1 0:5 / / rw,relatime shared:1 - ${type} none rw\n`;
  const ANACONDA = "# Created by anaconda\nUUID=1 / xfs defaults 0 0\n";

  test.each([
    ["the installer's, on an overlay", ANACONDA, mount("overlay"), 0],
    ["without a last line break", ANACONDA.trimEnd(), mount("overlay"), 0],
    ["on another root", ANACONDA, mount("ext4"), 1],
    ["below an overlay on `/`, something else", ANACONDA, mount("overlay") + mount("xfs"), 1],
    ["somebody else's", "UUID=1 / xfs defaults 0 0\n", mount("overlay"), 1],
    ["edited", `${ANACONDA}# Updated by bootc-fstab-edit.service\n`, mount("overlay"), 1],
    ["read-only already", ANACONDA.replace("defaults", "rw,ro"), mount("overlay"), 1],
    [
      "a longer option that only begins so",
      ANACONDA.replace("defaults", "ro2"),
      mount("overlay"),
      0,
    ],
    ["without options", "# Created by anaconda\n  UUID=1\t/\txfs\n", mount("overlay"), 0],
    ["without a root", ANACONDA.replace(" / ", " /* "), mount("overlay"), 1],
    ["a root in a comment", ANACONDA.replace("UUID", "  #UUID"), mount("overlay"), 1],
  ])("fstab: %s", (_about, fstab, mountinfo, want) => {
    put({ "etc/fstab": fstab, "proc/self/mountinfo": mountinfo });
    expect(run("needs-fstab-edit")).toBe(want);
    // The verb finds something to do wherever the script starts it.
    if (want === 0) expect(mendFstab(fstab)).toBeDefined();
  });
});

describe("publish-boot-entries", () => {
  const ENTRY = "title x\n";
  const copy = () => join(root, "run/bootc/boot-entries");
  beforeEach(() => {
    put({ "boot/loader/entries/ostree-1-a.conf": ENTRY, "boot/loader/entries/other.conf": "" });
    mkdirSync(join(root, "sysroot/ostree"), { recursive: true });
    symlinkSync("boot.0.1", join(root, "sysroot/ostree/boot.0"));
  });

  test("entries that everybody may read are not copied", () => {
    expect(run("publish-boot-entries")).toBe(0);
    expect(existsSync(join(root, "run"))).toBe(false);
  });

  test.each(["boot", "boot/loader", "boot/loader/entries"])("closed at /%s: copied", (closed) => {
    chmodSync(join(root, "boot/loader/entries/ostree-1-a.conf"), 0o600);
    chmodSync(join(root, closed), 0o700);
    expect(run("publish-boot-entries")).toBe(0);
    expect(run("publish-boot-entries")).toBe(0);
    expect(readdirSync(copy()).sort()).toEqual(["boot.0", "ostree-1-a.conf"]);
    expect(readlinkSync(join(copy(), "boot.0"))).toBe("boot.0.1");
    expect(readFileSync(join(copy(), "ostree-1-a.conf"), "utf8")).toBe(ENTRY);
    const modes = spawnSync("stat", ["-c", "%a", copy(), join(copy(), "ostree-1-a.conf")], {
      encoding: "utf8",
    });
    expect(modes.stdout).toBe("777\n644\n");
    // Nothing of the first copy is left.
    expect(readdirSync(join(root, "run/bootc"))).toHaveLength(2);
  });

  test("a machine without entries has nothing to copy", () => {
    rmSync(join(root, "boot"), { recursive: true });
    expect(run("publish-boot-entries")).toBe(0);
    expect(existsSync(join(root, "run"))).toBe(false);
  });
});
