// The page of `sbx view --web`. All that comes from the sandbox is hostile: it is drawn
// by noVNC, or shown as text.
import RFB from '/novnc/core/rfb.js';

// mostText is how much copied text passes, in characters, as in TigerVNC.
const mostText = 256 * 1024;

const element = (id) => document.getElementById(id);
const tell = (text) => { element('state').textContent = text; };
const token = location.hash.slice(1);

async function about() {
    const answer = await fetch('/about', { headers: { Authorization: 'Bearer ' + token } });
    if (!answer.ok) {
        throw new Error('This page needs the whole address that sbx view --web has printed.');
    }
    return answer.json();
}

// offerClipboard shows the texts of the directions in which they pass, and no others.
function offerClipboard(rfb, screen) {
    const sends = screen.clipboardIn && !screen.viewOnly;
    const takes = screen.clipboardOut && !screen.viewOnly;
    element('clipboard').hidden = !sends && !takes;
    element('in').hidden = !sends;
    element('out').hidden = !takes;
    if (takes) {
        rfb.addEventListener('clipboard', (e) => { element('copied').value = e.detail.text.slice(0, mostText); });
    }
    if (sends) {
        element('send').onclick = () => rfb.clipboardPasteFrom(element('paste').value.slice(0, mostText));
    }
    element('clipboard').onclick = () => { element('texts').hidden = !element('texts').hidden; };
}

function show(screen) {
    document.title = screen.name;
    element('name').textContent = screen.name;
    const socket = new WebSocket(`ws://${location.host}/screen`, ['sbx', 'token.' + token]);
    const rfb = new RFB(element('screen'), socket);
    rfb.viewOnly = screen.viewOnly;
    rfb.resizeSession = screen.resize;
    offerClipboard(rfb, screen);
    rfb.addEventListener('connect', () => { tell(screen.viewOnly ? 'shown only' : 'connected'); rfb.focus(); });
    rfb.addEventListener('securityfailure', () => tell('its server asks for a password, which sbx gives none.'));
    socket.addEventListener('close', (e) => tell('disconnected: ' + (e.reason || 'the sandbox or sbx view has ended.')));
}

about().then(show).catch((e) => tell(e.message));
