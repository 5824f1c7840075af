//! Whether the palette and the keys page are open, and what was opened last.

class Overlay {
  open = $state(false);
  show(): void {
    this.open = true;
  }
  hide(): void {
    this.open = false;
  }
}

export const palette = new Overlay();
export const keysPage = new Overlay();
