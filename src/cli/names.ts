// Maps other names of the program to the commands that they mean.

/** Other names of the program, and the words that each one stands for. */
const ALIASES: Readonly<Record<string, readonly string[]>> = {
  "bootc-systemd-generator": ["internals", "systemd-generator"],
  "ostree-container": ["internals", "ostree-container"],
  "system-reinstall-bootc": ["system-reinstall-bootc"],
  "ostree-ext": ["internals", "ostree-ext"],
};

/** The words after `bootc`, for a program that was started as `argv0` with `words`. */
export function argvOfProcess(argv0: string, words: readonly string[]): readonly string[] {
  const name = argv0.slice(argv0.lastIndexOf("/") + 1);
  // `ostree container x` starts `ostree-container container x`.
  const isRepeated = name === "ostree-container" && words[0] === "container";
  return [...(ALIASES[name] ?? []), ...(isRepeated ? words.slice(1) : words)];
}
