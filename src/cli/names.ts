// Which command was meant, when the program was started under another name.

/** Names the program answers to besides `bootc`, and the words they stand for. */
const ALIASES: Readonly<Record<string, readonly string[]>> = {
  "bootc-systemd-generator": ["internals", "systemd-generator"],
  "ostree-container": ["internals", "ostree-container"],
};

/** The words after `bootc`, given `argv0` as the program was called and the words it was given. */
export function argvOfProcess(argv0: string, words: readonly string[]): readonly string[] {
  const name = argv0.slice(argv0.lastIndexOf("/") + 1);
  // `ostree container x` starts `ostree-container container x`.
  const isRepeated = name === "ostree-container" && words[0] === "container";
  return [...(ALIASES[name] ?? []), ...(isRepeated ? words.slice(1) : words)];
}
