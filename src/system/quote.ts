// A command as a line that can be pasted into a shell.

const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/;

export function formatCommand(program: string, args: readonly string[]): string {
  return [program, ...args].map(quoteWord).join(" ");
}

function quoteWord(word: string): string {
  return PLAIN.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
