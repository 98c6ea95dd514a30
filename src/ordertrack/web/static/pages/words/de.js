export default {
  "order": "Bestellung {id}",
  "summary": {
    "title": "Das haben Sie bestellt",
    "each": "je {price}",
    "total": "Summe"
  },
  "share": {
    "button": "Teilen",
    "copied": "Link kopiert",
    "copy": "Bitte kopieren Sie diesen Link:"
  },
  "page": {
    "reload": "Neu laden",
    "latest": "Laden Sie diese Seite neu, um den aktuellen Stand zu sehen.",
    "languages": "Sprache",
    "zone": "Zeitzone: {zone}",
    "updated": "Aktualisiert um {time}"
  },
  "problem": {
    "gone_next": "Links zur Verfolgung enden einige Zeit nach der Lieferung. Wenn Sie noch auf eine Bestellung warten, bitten Sie das Restaurant um einen neuen Link.",
    "unknown_next": "Bitte prüfen Sie die Adresse oder öffnen Sie den zugesandten Link noch einmal.",
    "foreign": "Diese Bestellung können Sie nicht ansehen",
    "foreign_next": "Bitte öffnen Sie den Link, den Sie für Ihre eigene Bestellung erhalten haben.",
    "token": "Für diese Seite brauchen Sie den zugesandten Link",
    "token_next": "Bitte öffnen Sie den Link aus Ihrer Bestellbestätigung noch einmal.",
    "busy": "Zu viele Anfragen",
    "busy_next": "Bitte warten Sie einen Moment und laden Sie die Seite dann neu.",
    "down": "Wir können Ihre Bestellung gerade nicht anzeigen",
    "down_next": "Bitte laden Sie die Seite in einer Minute neu. Dann sehen Sie den aktuellen Stand.",
    "other": "Etwas ist schiefgegangen",
    "other_next": "Bitte laden Sie die Seite neu. Wenn das nicht hilft, wenden Sie sich bitte an das Restaurant."
  }
};
