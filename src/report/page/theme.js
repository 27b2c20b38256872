// Before anything is drawn: the theme that was chosen last. Without one it is the system's.
(() => {
  'use strict';
  try {
    const theme = localStorage.getItem('fthost-theme');
    if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  } catch { /* A file may have no storage. */ }
})();
