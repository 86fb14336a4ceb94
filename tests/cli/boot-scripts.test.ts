// The shell scripts that run at every boot in place of bootc: they decide as the verbs would.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { mendFstab } from "../../src/host/boot/boot-units.ts";
import { parseEntryNames, pruneShadow } from "../../src/host/boot/shadow.ts";
import { publishBootEntries } from "../../src/sysroot/publish-boot-entries.ts";
import { createContext } from "../../src/system/run.ts";

const PACKAGED = join(import.meta.dirname, "../../packaging/rootfs/usr/lib");
const SCRIPTS = join(PACKAGED, "bootc");

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
  const at = (path: string) => join(root, path);
  const ENTRIES = "boot/loader/entries";
  const layOut = () => {
    put({ [`${ENTRIES}/ostree-1-a.conf`]: "title x\n", [`${ENTRIES}/other.conf`]: "" });
    mkdirSync(at("sysroot/ostree"), { recursive: true });
    symlinkSync("boot.0.1", at("sysroot/ostree/boot.0"));
    chmodSync(at(ENTRIES), 0o700);
  };
  const COPY = "/bootc/boot-entries -> DIR";
  const DIRS = ["/bootc 40755", "/bootc/DIR 40755"];
  const LINK = "/bootc/DIR/boot.0 -> boot.0.1";
  const FILE = "/bootc/DIR/ostree-1-a.conf 100644 title x\n";
  const USUAL = [...DIRS, LINK, FILE, COPY];

  test.each<[about: string, damage: () => void, want: readonly string[]]>([
    ["closed entries", () => {}, USUAL],
    ["closed at /boot/loader", () => close("boot/loader"), USUAL],
    ["closed at /boot", () => close("boot"), USUAL],
    ["readable, not to be entered", () => chmodSync(at(ENTRIES), 0o704), USUAL],
    ["open to everybody", () => chmodSync(at(ENTRIES), 0o755), []],
    ["open to others, not to the group", () => chmodSync(at(ENTRIES), 0o1705), []],
    ["closed to all, and to others by a link", () => moveLoader(), USUAL],
    ["without /boot", () => rmSync(at("boot"), { recursive: true }), []],
    ["without entries of ostree", () => rmSync(at(`${ENTRIES}/ostree-1-a.conf`)), []],
    ["a file in place of the entries", () => replaceEntries(), []],
    ["entries that nobody may read", () => chmodSync(at(`${ENTRIES}/ostree-1-a.conf`), 0), USUAL],
    [
      "bytes that are not text",
      () => writeFileSync(at(`${ENTRIES}/ostree-2.conf`), Buffer.from([0, 0xff, 0xc3, 0x28])),
      [...DIRS, LINK, FILE, "/bootc/DIR/ostree-2.conf 100644 \0\xff\xc3(", COPY],
    ],
    [
      "odd names",
      () => {
        put({ [`${ENTRIES}/ostree-.conf`]: "1", [`${ENTRIES}/ostree- *$(x).conf`]: "2" });
        put({ [`${ENTRIES}/ostree-a\nb.conf`]: "3", [`${ENTRIES}/.ostree-1.conf`]: "4" });
        put({ [`${ENTRIES}/ostree-1.conf.bak`]: "5", [`${ENTRIES}/Ostree-1.conf`]: "6" });
        put({ [`${ENTRIES}/ostree-1+3-0.conf`]: "7", [`${ENTRIES}/ostree.conf`]: "8" });
      },
      [
        ...DIRS,
        LINK,
        "/bootc/DIR/ostree- *$(x).conf 100644 2",
        "/bootc/DIR/ostree-.conf 100644 1",
        "/bootc/DIR/ostree-1+3-0.conf 100644 7",
        FILE,
        "/bootc/DIR/ostree-a\nb.conf 100644 3",
        COPY,
      ],
    ],
    [
      "a directory, and a link to nowhere",
      () => {
        mkdirSync(at(`${ENTRIES}/ostree-8.conf`));
        symlinkSync("nowhere", at(`${ENTRIES}/ostree-9.conf`));
      },
      USUAL,
    ],
    [
      "a link to a file",
      () => symlinkSync("ostree-1-a.conf", at(`${ENTRIES}/ostree-9.conf`)),
      [...DIRS, LINK, FILE, "/bootc/DIR/ostree-9.conf 100644 title x\n", COPY],
    ],
    [
      "without links of ostree",
      () => rmSync(at("sysroot"), { recursive: true }),
      [...DIRS, FILE, COPY],
    ],
    [
      "two links during a change, one without a target, and a directory",
      () => {
        symlinkSync("no where", at("sysroot/ostree/boot.1"));
        mkdirSync(at("sysroot/ostree/boot.2"));
      },
      [...DIRS, LINK, "/bootc/DIR/boot.1 -> no where", FILE, COPY],
    ],
    [
      "a directory in place of the link",
      () => {
        rmSync(at("sysroot/ostree/boot.0"));
        mkdirSync(at("sysroot/ostree/boot.0"));
      },
      [...DIRS, FILE, COPY],
    ],
    [
      "an older copy",
      () => {
        put({ "run/bootc/boot-entries.7/ostree-9.conf": "old", "run/bootc/lock": "" });
        symlinkSync("boot-entries.7", at("run/bootc/boot-entries"));
      },
      [...USUAL, "/bootc/lock 100644 "],
    ],
    [
      "an older copy that leads elsewhere",
      () => {
        put({ "run/else/x": "" });
        mkdirSync(at("run/bootc"));
        symlinkSync("../else", at("run/bootc/boot-entries"));
      },
      [...USUAL, "/else 40755", "/else/x 100644 "],
    ],
    [
      "a directory where the copy should be",
      () => put({ "run/bootc/boot-entries/x": "" }),
      ["/bootc 40755", "/bootc/boot-entries 40755", "/bootc/boot-entries/x 100644 "],
    ],
    [
      "a directory of ours that is closed",
      () => {
        mkdirSync(at("run/bootc"), { recursive: true });
        chmodSync(at("run/bootc"), 0o700);
      },
      USUAL,
    ],
  ])("the script leaves what `bootc` does: %s", async (_about, damage, want) => {
    const before = process.umask(0o022);
    const publish = [
      () => void spawnSync("sh", [join(SCRIPTS, "publish-boot-entries"), root]),
      () => publishBootEntries(createContext({ root })).catch(requireBootcError),
    ];
    try {
      for (const run of publish) {
        rmSync(root, { recursive: true });
        layOut();
        damage();
        process.umask(0o077);
        await run();
        process.umask(0o022);
        expect(listCopy()).toEqual(want);
      }
    } finally {
      process.umask(before);
    }
  });

  function close(path: string): void {
    chmodSync(at(ENTRIES), 0o755);
    chmodSync(at(path), 0o700);
  }

  /** As ostree has it: `loader` is a link. */
  function moveLoader(): void {
    renameSync(at("boot/loader"), at("boot/loader.1"));
    symlinkSync("loader.1", at("boot/loader"));
  }

  function replaceEntries(): void {
    rmSync(at(ENTRIES), { recursive: true });
    put({ [ENTRIES]: "" });
  }

  /** Everything below /run, sorted, with `DIR` for the directory of the copy, whose name has a process id. */
  function listCopy(): readonly string[] {
    const run = at("run");
    if (!existsSync(run)) return [];
    const files = spawnSync("find", [run, "-mindepth", "1", "-print0"], { encoding: "utf8" });
    const made = files.stdout
      .split("\0")
      .slice(0, -1)
      .map((file) => {
        const path = relative(run, file);
        const stats = lstatSync(file);
        const text = stats.isFile() ? ` ${readFileSync(file, "latin1")}` : "";
        const about = stats.isSymbolicLink()
          ? ` -> ${readlinkSync(file)}`
          : ` ${stats.mode.toString(8)}${text}`;
        return `/${path}${about}`.replaceAll(/boot-entries\.\d+/g, "DIR");
      });
    return made.toSorted();
  }

  /** What `bootc` cannot do, it says; the script fails. */
  function requireBootcError(error: unknown): void {
    if (!(error instanceof Error)) throw error;
  }

  /** What systemd runs before it starts the script. */
  const isWanted = () => {
    const unit = join(PACKAGED, "systemd/system/bootc-publish-boot-entries.service");
    const command = /^ExecCondition=\+(.*)$/m.exec(readFileSync(unit, "utf8"))?.[1] ?? "";
    const [program = "", ...args] = command.split(" ");
    const here = args.map((it) => (it.startsWith("/boot") ? join(root, it) : it));
    const { status, stderr } = spawnSync(program, here, { encoding: "utf8" });
    expect(stderr).toBe("");
    return status === 0;
  };

  test.skipIf(process.getuid?.() !== 0)("the unit starts it only where users cannot read", () => {
    layOut();
    chmodSync(root, 0o755);
    chmodSync(at(ENTRIES), 0o755);
    expect(isWanted()).toBe(false);
    for (const closed of ["boot", "boot/loader", "boot/loader/entries"]) {
      chmodSync(join(root, closed), 0o700);
      expect(isWanted()).toBe(true);
      chmodSync(join(root, closed), 0o755);
    }
  });
});
