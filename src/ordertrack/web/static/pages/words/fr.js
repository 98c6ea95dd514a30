export default {
  "order": "Commande {id}",
  "summary": {
    "title": "Ce que vous avez commandé",
    "each": "{price} l’unité",
    "total": "Total"
  },
  "share": {
    "button": "Partager",
    "copied": "Lien copié",
    "copy": "Veuillez copier ce lien :"
  },
  "page": {
    "reload": "Recharger",
    "latest": "Rechargez cette page pour voir l’état le plus récent.",
    "languages": "Langue",
    "zone": "Fuseau horaire : {zone}",
    "updated": "Mis à jour à {time}"
  },
  "problem": {
    "gone_next": "Les liens de suivi expirent quelque temps après la livraison. Si vous attendez encore une commande, demandez un nouveau lien au restaurant.",
    "unknown_next": "Vérifiez l’adresse ou ouvrez de nouveau le lien que vous avez reçu.",
    "foreign": "Vous ne pouvez pas consulter cette commande",
    "foreign_next": "Ouvrez le lien que vous avez reçu pour votre propre commande.",
    "token": "Cette page nécessite le lien que vous avez reçu",
    "token_next": "Ouvrez de nouveau le lien de votre confirmation de commande.",
    "busy": "Trop de requêtes",
    "busy_next": "Patientez un instant, puis rechargez cette page.",
    "down": "Impossible d’afficher votre commande pour le moment",
    "down_next": "Rechargez cette page dans une minute : l’état de la commande sera alors à jour.",
    "other": "Une erreur est survenue",
    "other_next": "Rechargez cette page. Si le problème persiste, contactez le restaurant."
  }
};
