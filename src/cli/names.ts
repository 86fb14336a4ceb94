// Maps other names of the program to the commands that they mean.

/** Other names of the program, and the words that each one stands for. */
const ALIASES: Readonly<Record<string, readonly string[]>> = {
  "bootc-systemd-generator": ["internals", "systemd-generator"],
  "system-reinstall-bootc": ["system-reinstall-bootc"],
  "ostree-ext": ["internals", "ostree-ext"],
};

const REPAIR = "provisional-repair";

/** Extensions of ostree: `ostree container x` starts `ostree-container container x`. */
const EXTENSIONS: Readonly<Record<string, readonly [group: string, ...words: string[]]>> = {
  "ostree-container": ["container", "internals", "ostree-container"],
  "ostree-ima-sign": ["ima-sign", "internals", "ostree-ext", "ima-sign"],
  "ostree-provisional-repair": [REPAIR, "internals", "ostree-ext", REPAIR],
};

/** The words after `bootc`, for a program that was started as `argv0` with `words`. */
export function argvOfProcess(argv0: string, words: readonly string[]): readonly string[] {
  const name = argv0.slice(argv0.lastIndexOf("/") + 1);
  const extension = EXTENSIONS[name];
  if (extension === undefined) return [...(ALIASES[name] ?? []), ...words];
  const [group, ...meant] = extension;
  return [...meant, ...(words[0] === group ? words.slice(1) : words)];
}
