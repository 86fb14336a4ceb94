// Generates images without an ostree base, always the same bytes; each shows one property of layers.
import { createRandom, randomBytes } from "./random.ts";
import { dir, file, hardlink, symlink, type TestEntry } from "./tar-writer.ts";

export interface DerivedImage {
  readonly name: string;
  /** Lowest first. */
  readonly layers: readonly (readonly TestEntry[])[];
  /** Before this version, ostree's own checkout gets the image wrong. */
  readonly needsOstree?: string;
}

const root = dir(".");
const usr = [root, dir("usr"), dir("usr/bin"), dir("usr/lib"), dir("etc")];

/** A valid `security.capability`: revision 2, cap_net_raw permitted and effective. */
export const CAPABILITY = Buffer.from("0100000200200000000000000000000000000000", "hex");

export function derivedImages(): readonly DerivedImage[] {
  return [
    additions(),
    whiteouts(),
    opaque(),
    linksNamedAsWhiteouts(),
    ...typeReplacements(),
    sharedDirectories(),
    attributes(),
    hardLinks(),
    names(),
    emptyFiles(),
    implicitParents(),
    topLevel(),
    placeholders(),
    kernelArguments(),
    smallFiles(20_000),
    manyLayers(64),
  ];
}

function additions(): DerivedImage {
  return {
    name: "additions",
    layers: [
      [...usr, file("usr/bin/a", "one", { mode: 0o755 }), file("etc/conf", "x=1\n")],
      [...usr, file("usr/bin/a", "two", { mode: 0o755 }), file("usr/bin/b", "b")],
      [
        ...usr,
        dir("usr/new"),
        dir("usr/new/deep"),
        file("usr/new/deep/f", "f"),
        file("etc/conf", "x=2\n"),
      ],
    ],
  };
}

function whiteouts(): DerivedImage {
  return {
    name: "whiteouts",
    layers: [
      [
        ...usr,
        file("usr/bin/gone", "1"),
        file("usr/bin/-dash", "1"),
        file("usr/bin/again", "1"),
        dir("usr/lib/d"),
        file("usr/lib/d/x", "x"),
        dir("usr/lib/e"),
        file("usr/lib/e/x", "x"),
        file("etc/gone", "1"),
        file("etc/stays", "1"),
      ],
      [
        ...usr,
        file("usr/bin/.wh.gone"),
        file("usr/bin/.wh.-dash"),
        file("usr/bin/-dash", "lost: it sorts before its whiteout"),
        file("usr/bin/.wh.again"),
        file("usr/bin/again", "2"),
        file("usr/bin/.wh.never-was"),
        file("usr/lib/.wh.d"),
        file("usr/lib/.wh.e"),
        dir("usr/lib/e", { mode: 0o700 }),
        file("usr/lib/e/y", "y"),
        file("etc/.wh.gone"),
        file(".wh.etc"),
        dir("usr/added"),
        file("usr/added/.wh.nothing"),
        file("usr/added/f", "f"),
      ],
    ],
  };
}

function opaque(): DerivedImage {
  return {
    name: "opaque",
    layers: [
      [
        ...usr,
        dir("usr/o", { mode: 0o755 }),
        dir("usr/o/sub"),
        file("usr/o/sub/x", "x"),
        file("usr/o/old", "1"),
      ],
      [
        ...usr,
        dir("usr/o", { mode: 0o711, uid: 5 }),
        file("usr/o/.wh..wh..opq"),
        file("usr/o/new", "2"),
      ],
      [
        ...usr,
        dir("usr/p"),
        file("usr/p/.wh..wh..opq"),
        dir("usr/p/q"),
        file("usr/p/q/.wh.z"),
        file("usr/p/f", "f"),
      ],
    ],
  };
}

function linksNamedAsWhiteouts(): DerivedImage {
  return {
    name: "symbolic links named as whiteouts",
    layers: [
      [...usr, file("usr/lib/a", "1"), dir("usr/o"), file("usr/o/b", "1")],
      [
        ...usr,
        symlink("usr/lib/.wh.a", "nowhere"),
        dir("usr/o"),
        symlink("usr/o/.wh.b", "b"),
        dir("usr/added"),
        symlink("usr/added/.wh.c", "c"),
      ],
    ],
  };
}

/** Every kind of entry over every other; before 2024.5, ostree gets directories over others wrong. */
function typeReplacements(): readonly DerivedImage[] {
  const kinds: Record<string, (path: string) => readonly TestEntry[]> = {
    file: (path) => [file(path, "content")],
    empty: (path) => [file(path)],
    symlink: (path) => [symlink(path, "../nowhere")],
    "symlink-to-directory": (path) => [symlink(path, "lib")],
    directory: (path) => [dir(path), file(`${path}/inside`, "i")],
  };
  const pairs = Object.keys(kinds).flatMap((below) =>
    Object.keys(kinds).map((above) => ({ below, above, path: `usr/${above}-over-${below}` })),
  );
  const image = (isDirectory: boolean) => {
    const ours = pairs.filter(
      ({ below, above }) => isDirectory === (above === "directory" && below !== above),
    );
    return [
      [...usr, ...ours.flatMap(({ below, path }) => kinds[below]?.(path) ?? [])],
      [...usr, ...ours.flatMap(({ above, path }) => kinds[above]?.(path) ?? [])],
    ];
  };
  return [
    { name: "entries replaced by others than directories", layers: image(false) },
    { name: "entries replaced by directories", layers: image(true), needsOstree: "2024.5" },
  ];
}

function sharedDirectories(): DerivedImage {
  return {
    name: "shared directories with changed metadata",
    layers: [
      [...usr, dir("usr/shared", { mode: 0o755 }), file("usr/shared/a", "a")],
      [
        dir(".", { mode: 0o700, uid: 1 }),
        dir("usr", { uid: 7, gid: 8 }),
        dir("usr/shared", { mode: 0o1777, xattrs: { "user.note": "changed" } }),
        file("usr/shared/b", "b"),
      ],
    ],
  };
}

function attributes(): DerivedImage {
  return {
    name: "xattrs, setuid, capabilities, odd owners",
    layers: [
      [
        ...usr,
        file("usr/bin/su", "su", { mode: 0o4755 }),
        file("usr/bin/wall", "wall", { mode: 0o2755, gid: 5 }),
        file("usr/bin/ping", "ping", {
          mode: 0o755,
          xattrs: { "security.capability": CAPABILITY },
        }),
        file("usr/lib/many", "x", {
          xattrs: {
            "user.b": "2",
            "user.a": "1",
            "user.c": Buffer.from([0, 1, 2, 255]),
            "user.empty": "",
          },
        }),
        file("usr/lib/mixed", "x", {
          xattrs: { "user.z": "z", "security.capability": CAPABILITY },
        }),
        dir("usr/lib/dir", { mode: 0o1777, xattrs: { "user.d": "dir", "user.c": "c" } }),
        file("usr/lib/nobody", "n", { uid: 65534, gid: 65534 }),
        file("usr/lib/huge-ids", "h", { uid: 3_000_000, gid: 4_000_000_000 }),
        file("usr/lib/secret", "s", { mode: 0 }),
        symlink("usr/lib/owned-link", "many", { uid: 3, gid: 4 }),
      ],
    ],
  };
}

function hardLinks(): DerivedImage {
  return {
    name: "hard links",
    layers: [
      [
        ...usr,
        file("usr/bin/one", "same", { mode: 0o755, xattrs: { "user.x": "y" } }),
        hardlink("usr/bin/two", "usr/bin/one"),
        hardlink("usr/bin/three", "./usr/bin/two"),
        hardlink("usr/lib/early", "/usr/lib/late"),
        file("usr/lib/late", "late"),
        file("etc/a", "etc"),
        hardlink("usr/lib/from-etc", "etc/a"),
        hardlink("etc/b", "/etc/a"),
        file("usr/lib/empty"),
        hardlink("usr/lib/empty-too", "usr/lib/empty"),
        symlink("usr/lib/sym", "late"),
        hardlink("usr/lib/sym-too", "usr/lib/sym"),
      ],
      [
        ...usr,
        file("usr/bin/one", "other"),
        file("sysroot/ostree/repo/objects/ab/cd.file", "changed", { mode: 0o755 }),
        hardlink("usr/bin/two", "sysroot/ostree/repo/objects/ab/cd.file"),
        hardlink("usr/bin/four", "/sysroot/ostree/repo/objects/ab/cd.file"),
        hardlink("usr/bin/dropped", "sysroot/ostree/repo/objects/ef/01.file"),
      ],
    ],
  };
}

function names(): DerivedImage {
  const long = "l".repeat(255);
  const deep = Array.from({ length: 12 }, (_, i) => `directory-number-${i}`).join("/");
  const parents = deep
    .split("/")
    .map((_, i, all) => dir(`usr/lib/${all.slice(0, i + 1).join("/")}`));
  return {
    name: "long and non-ASCII names",
    layers: [
      [
        ...usr,
        file(`usr/lib/${long}`, "long"),
        ...parents,
        file(`usr/lib/${deep}/f`, "deep"),
        file("usr/lib/žluťoučký kůň", "utf-8"),
        dir("etc/日本語"),
        file("etc/日本語/設定", "utf-8"),
        symlink("usr/lib/link-é", `ž/${"t".repeat(300)}`),
        hardlink("usr/lib/hard-é", "etc/日本語/設定"),
        file("usr/lib/ leading and trailing ", "s"),
        file("usr/lib/new\nline", "n"),
        file("usr/lib/..hidden", "h"),
        file(`etc/${"e".repeat(94)}`, "fits before, not after being moved"),
      ],
      [...usr, file("usr/lib/.wh.žluťoučký kůň"), file("usr/lib/ß", "ß")],
    ],
  };
}

function emptyFiles(): DerivedImage {
  return {
    name: "empty files and directories",
    layers: [
      [
        ...usr,
        file("usr/lib/a"),
        file("usr/lib/b"),
        file("usr/lib/c", "", { mode: 0o600 }),
        dir("usr/empty"),
      ],
      [...usr, file("usr/lib/a", "no more"), file("usr/lib/d")],
    ],
  };
}

function implicitParents(): DerivedImage {
  return {
    name: "parents that are not in the tar",
    layers: [
      [file("usr/share/x/y", "y", { uid: 9, gid: 10 }), dir("usr/share", { mode: 0o750 })],
      [file("usr/share/x/z", "z", { uid: 11 }), file("usr/other/z", "z", { uid: 12 })],
    ],
  };
}

function topLevel(): DerivedImage {
  return {
    name: "directories beside /usr",
    layers: [
      [
        ...usr,
        dir("boot"),
        file("boot/grub.cfg", "menu"),
        dir("var"),
        dir("var/lib"),
        file("var/lib/db", "db"),
        hardlink("var/lib/db2", "var/lib/db"),
        dir("run"),
        file("run/pid", "1"),
        dir("tmp", { mode: 0o1777 }),
        file("tmp/x", "x"),
        dir("dev"),
        { path: "dev/null", type: "character" },
        { path: "usr/lib/pipe", type: "fifo" },
        dir("opt"),
        symlink("home", "var/home"),
        dir("sysroot"),
      ],
      [root, dir("opt"), dir("opt/app"), file("opt/app/x", "x")],
    ],
  };
}

function placeholders(): DerivedImage {
  return {
    name: "placeholders of the build",
    layers: [
      [...usr, file("etc/hostname"), file("etc/resolv.conf"), file("etc/hosts")],
      [root, dir("etc"), file("etc/hostname"), file("etc/resolv.conf", "nameserver 192.0.2.1\n")],
    ],
  };
}

function kernelArguments(): DerivedImage {
  return {
    name: "kargs.d",
    layers: [
      [
        ...usr,
        dir("usr/lib/bootc"),
        dir("usr/lib/bootc/kargs.d"),
        file("usr/lib/bootc/kargs.d/10-console.toml", 'kargs = ["console=ttyS0"]\n'),
        dir("usr/lib/modules"),
        dir("usr/lib/modules/6.1.0"),
        file("usr/lib/modules/6.1.0/vmlinuz", "kernel"),
        file("usr/lib/modules/6.1.0/initramfs.img", "initramfs"),
      ],
    ],
  };
}

/** `count` small files of random content in directories of a hundred, and one layer that changes some. */
export function smallFiles(count: number): DerivedImage {
  const random = createRandom(count);
  const first: TestEntry[] = [...usr, dir("usr/share")];
  const second: TestEntry[] = [...usr, dir("usr/share")];
  for (let i = 0; i < count; i++) {
    const folder = `usr/share/${Math.floor(i / 100)}`;
    if (i % 100 === 0) first.push(dir(folder));
    first.push(file(`${folder}/${i}`, randomBytes(random, random(64))));
    if (i % 1000 === 0)
      second.push(dir(folder), file(`${folder}/.wh.${i}`), file(`${folder}/new`, `${i}`));
  }
  return { name: `${count} small files`, layers: [first, second] };
}

/** `count` layers of random files, directories, links and whiteouts over few names, so that they collide. */
export function manyLayers(count: number): DerivedImage {
  const random = createRandom(64 * count);
  const layers = Array.from({ length: count }, (_, i) => [...usr, ...randomEntries(random, i)]);
  return { name: `${count} layers`, layers, needsOstree: "2024.5" };
}

function randomEntries(random: (limit: number) => number, layer: number): readonly TestEntry[] {
  const entries = new Map<string, TestEntry>();
  for (let i = 0; i < 12; i++) {
    const parent = `usr/lib/d${random(4)}`;
    entries.set(parent, dir(parent, { mode: random(2) === 0 ? 0o755 : 0o750 }));
    const name = `n${random(6)}`;
    const path = `${parent}/${name}`;
    switch (random(5)) {
      case 0:
        entries.set(path, file(path, `layer ${layer}`));
        break;
      case 1:
        entries.set(path, symlink(path, `n${random(6)}`));
        break;
      case 2:
        entries.set(`${parent}/.wh.${name}`, file(`${parent}/.wh.${name}`));
        break;
      case 3:
        if (random(4) === 0) entries.set(`${parent}/.wh..wh..opq`, file(`${parent}/.wh..wh..opq`));
        break;
      default:
        entries.set(`${parent}/only${layer}`, file(`${parent}/only${layer}`, String(random(1000))));
    }
  }
  return [...entries.values()];
}
