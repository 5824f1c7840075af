//! The help page that is open beside the page, by its code.
import { commands, Resource, type HelpText } from "$ipc";

class HelpPage {
  code = $state<string | null>(null);
  text = new Resource<HelpText>(() => commands.helpPage({ id: this.code ?? "" }));

  show(code: string): void {
    this.code = code;
    this.text.clear();
    void this.text.reload();
  }

  hide(): void {
    this.code = null;
  }
}

export const helpPage = new HelpPage();
